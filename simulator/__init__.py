"""An AWS that can also fail: in this process, and on a port of this machine.

    with SimulatedAws() as aws:             simulation.py   the door
        aws.session("role/deployer")        session.py      for the tool: a boto3.Session
        aws.fetch(url, timeout=5)           load_balancer.py    for the tool: GET a URL
        aws.clock                           clock.py        for the tool: now() and sleep()
        aws.environment("role/deployer")    scripts.py      for a script of a service
        aws.client("ecs")                                   for a test
        aws.next_rollout(Crashes())         rollouts.py     what becomes of a rollout
        aws.faults.throttle("ecs:...")      faults.py       errors on demand
        aws.moments.when("ecs:...", act)    hooks.py        what happens meanwhile
        aws.cloudformation.fails(...)       cloudformation.py
        aws.calls                           calls.py        what was asked

To test the tool in process, give it what the first three return. Each may be used alone, and none
opens a socket, starts a thread or sleeps. `aws.environment` (or `aws.address`) starts the rest: the
HTTP server of server.py, and a folder of programs for the PATH of a script.

    session = aws.session("role/deployer")  # in the account's own region; or region="eu-north-1"
    Aws(session, "us-east-1").ecs.describe_services(...)
    Response(*aws.fetch("http://ai-assistant-alb-1.us-east-1.elb.amazonaws.com/health", timeout=5))

A request goes through application.py, however it came: who asks (principals.py) and what that takes
(permissions.py, policies.py) is decided there, then a service answers. A service of AWS is a class,
and each of its operations that moto lacks or gets wrong a method of it by the operation's
snake_case name: `describe_services(parameters) -> answer`. Parameters and answers are named and
nested as the API's own model names them, with datetimes for times; an error is a `Refused`. What
has no method is moto's, unless the service is played wholly.

A rollout and a stack go one step further each time they are asked about. Time passes only where
something sleeps (clock.py, timing.py): the tool by `aws.clock`, in a
process of its own by the server.
"""
