"""A simulated AWS, in this process and on a port of this machine. It can fail on demand.

    with SimulatedAws() as aws:             simulation.py   the interface
        aws.session("role/deployer")        session.py      for the tool: a boto3.Session
        aws.fetch(url, timeout=5)           load_balancer.py    for the tool: GET a URL
        aws.clock                           clock.py        for the tool: now() and sleep()
        aws.environment("role/deployer")    scripts.py      for a script of a service
        aws.client("ecs")                                   for a test
        aws.next_rollout(Crashes())         ecs/rollouts.py the outcome of a rollout
        aws.faults.throttle("ecs:...")      faults.py       errors on demand
        aws.moments.when("ecs:...", act)    hooks.py        what happens meanwhile
        aws.cloudformation.fails(...)       cloudformation/api.py
        aws.calls                           calls.py        the calls that were received

To test the tool in process, give it what the first three return. Each may be used alone, and none
opens a socket, starts a thread or sleeps. `aws.environment` (or `aws.address`) starts the rest: the
HTTP server of server.py, and a folder of programs for the PATH of a script.

    session = aws.session("role/deployer")  # in the account's own region; or region="eu-north-1"
    Aws(session, "us-east-1").ecs.describe_services(...)
    Response(*aws.fetch("http://ai-assistant-alb-1.us-east-1.elb.amazonaws.com/health", timeout=5))

Every request goes through application.py: it finds the caller (principals.py), checks the
permissions (permissions.py, policies.py), and calls a service. A service of AWS is a class. Each
operation that moto lacks or gets wrong is a method with the operation's snake_case name:
`describe_services(parameters) -> answer`. Parameters and answers have the names and structure of
the API's own model, with datetimes for times; an error is a `Refused`. moto answers the operations
without a method, except for services that are simulated as a whole. Services with many operations
are packages: in ecs/ and cloudformation/, api.py joins the operations of the modules *_requests.py.

A rollout and a stack advance by one step with each request about them. Time passes only if
something sleeps (clock.py, timing.py): the tool by `aws.clock`, or by the server if it runs in a
process of its own.
"""
