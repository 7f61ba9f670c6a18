"""ECS: its services, and how their deployments and tasks go.

The operations of the API are in api.py, a service in running_service.py, a deployment in
deployments.py, its outcome in rollouts.py, a task in tasks.py. Reasons why a task does not start
are in task_start_failures.py.
"""
