"""An AWS that can also fail, on a port of this machine.

A service of AWS is a class here, and each of its operations that moto lacks or gets wrong a method
of it by the operation's snake_case name: `describe_services(parameters) -> answer`. Parameters and
answers are named and nested as the API's own model names them, with datetimes for times; an error
is a `Refused`. What has no method is moto's.
"""
