"""An AWS that can also fail, on a port of this machine.

    with SimulatedAws() as aws:             simulation.py   the door
        aws.environment("role/deployer")                    for the scripts of a service
        aws.client("ecs")                                   for a test
        aws.next_rollout(Crashes())         rollouts.py     what becomes of a rollout
        aws.faults.throttle("ecs:...")      faults.py       errors on demand
        aws.cloudformation.fails(...)       cloudformation.py
        aws.calls                           calls.py        what was asked

A request goes through wire.py: who asks (principals.py) and what that takes (permissions.py,
policies.py) is decided there, then a service answers. A service of AWS is a class, and each of its
operations that moto lacks or gets wrong a method of it by the operation's snake_case name:
`describe_services(parameters) -> answer`. Parameters and answers are named and nested as the API's
own model names them, with datetimes for times; an error is a `Refused`. What has no method is
moto's, unless the service is played wholly.

Nothing here sleeps, and the clock (clock.py) moves with what happens: a rollout and a stack go one
step further each time somebody asks about them.
"""
