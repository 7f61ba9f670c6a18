"""CloudFormation: templates, change sets, stacks, and the resources of a stack.

The operations of the API are in api.py, and the types of resources in resources/, one module for
each service of AWS.
"""
