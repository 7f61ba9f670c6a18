# How the documents and the outputs of the stack are read. `env.NAME` is a variable of the scripts.

def named: [.containerDefinitions[]? | select(.name == env.CONTAINER_NAME)];

def container: named[0];

def task_complaint:
  if type != "object" then "it is not one JSON object"
  elif .family != env.TASK_FAMILY then
    "its family is \(.family), and TASK_FAMILY in infra/settings.env is \(env.TASK_FAMILY): make them agree"
  elif (named | length) != 1 then
    "\(named | length) of its containers have the name \(env.CONTAINER_NAME) (CONTAINER_NAME in infra/settings.env),"
    + " and exactly one must: it takes the image"
  elif (container.portMappings | length) != 1 then
    "\(env.CONTAINER_NAME) has \(container.portMappings | length) portMappings, and exactly one is right: it takes the"
    + " requests of the load balancer"
  elif .runtimePlatform.cpuArchitecture | . != "X86_64" and . != "ARM64" then
    "runtimePlatform.cpuArchitecture is \(.runtimePlatform.cpuArchitecture): it must be X86_64 or ARM64"
  else null end;

def platform: if .runtimePlatform.cpuArchitecture == "ARM64" then "linux/arm64" else "linux/amd64" end;

# Of an answer to describe-stacks.
def outputs: .Stacks[0].Outputs // [] | map({(.OutputKey): .OutputValue}) | add // {};

def missing_outputs:
  ["Url", "TargetGroupArn", "SubnetIds", "TaskSecurityGroupId", "AssignPublicIp", "ScalingResourceLabel"]
  - (outputs | keys)
  | join(", ");
