# How the documents are put together for ECS, and how its answers are read. `env.NAME` is a variable of the scripts.

# Text of somebody else's: on one line, without control characters.
def line: tostring | gsub("[[:cntrl:][:space:]]+"; " ");

# A time of ECS in seconds. The CLI writes a number (version 1) or text (version 2), which is UTC as TZ tells it to.
def seconds: if type == "number" then floor else .[:19] + "Z" | fromdateiso8601 end;

# --- task definitions: infra/task-definition.json ---

# FAMILY:N of an ARN.
def revision: split("/") | last;

# Its N; empty where it is of another family.
def number: revision | ltrimstr("\(env.TASK_FAMILY):") | tonumber? // empty;

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

# The document, with the one thing in it that it cannot know, and what tells its revision apart.
def to_register:
  (.containerDefinitions[] | select(.name == env.CONTAINER_NAME) | .image) = env.image
  | .tags = (.tags // []) + [{key: "commit", value: env.commit}, {key: "document", value: env.document}]
  | tojson;

# Of an answer to describe-task-definition.
def tag($key): first(.tags[]? | select(.key == $key) | .value) // "";

def is_ours: tag("commit") == env.commit and tag("document") == env.document;

# How ECR is asked for its image; empty where that is not of the service's repository.
def image_id:
  "\(env.ECR_REGISTRY)/\(env.ECR_REPOSITORY)" as $repository
  | container.image // ""
  | if startswith("\($repository)@") then "imageDigest=" + .[($repository | length) + 1:]
    elif startswith("\($repository):") then "imageTag=" + .[($repository | length) + 1:]
    else "" end;

# Where a task writes its log; null where it does not use the awslogs driver.
def log_stream:
  container.logConfiguration.options["awslogs-stream-prefix"] // null
  | if . == null then null else "\(.)/\(env.CONTAINER_NAME)/\(env.task)" end;

# --- the service: infra/service.json, and what the stack made ---

# Of a request, and of what the CLI knows of it: the names that the CLI does not know. Under KeyName it knows any.
def unknown_members:
  . as [$request, $known]
  | if ($known | type) == "object" and ($known | has("KeyName") | not) and ($request | type) == "object" then
      [$request | keys_unsorted[] as $name
        | if $known | has($name) then [$request[$name], $known[$name]] | unknown_members[] else $name end]
    elif ($known | type) == "array" and ($request | type) == "array" then
      [$request[] | [., $known[0]] | unknown_members[]]
    else [] end;

# Of an answer to describe-stacks.
def outputs: .Stacks[0].Outputs // [] | map({(.OutputKey): .OutputValue}) | add // {};

def missing_outputs:
  ["Url", "TargetGroupArn", "SubnetIds", "TaskSecurityGroupId", "AssignPublicIp", "ScalingResourceLabel"]
  - (outputs | keys)
  | join(", ");

# What ECS is asked for, whether the service is there or not; then all that a rollout depends on.
def plan:
  . as [$service, $task, $scaling, $stack]
  | $service + {
      cluster: env.ECS_CLUSTER,
      loadBalancers: [{
        targetGroupArn: $stack.TargetGroupArn,
        containerName: env.CONTAINER_NAME,
        containerPort: ($task | container.portMappings[0].containerPort)
      }],
      networkConfiguration: {awsvpcConfiguration: {
        subnets: ($stack.SubnetIds | split(",")),
        securityGroups: [$stack.TaskSecurityGroupId],
        assignPublicIp: $stack.AssignPublicIp
      }}
    }
  | ., [., $task, $scaling, env.MIN_TASKS, env.MAX_TASKS]
  | tojson;

# Where its answer is lost, aws asks again: by the token ECS knows that it is the same request.
def to_create:
  . + {
    clientToken: (env.revision | revision | .[-36:]),
    serviceName: env.ECS_SERVICE,
    taskDefinition: env.revision,
    desiredCount: (env.MIN_TASKS | tonumber)
  }
  | tojson;

# Without what only a new service takes. It keeps its number of tasks, which the scaling decides on; only one that was
# scaled to zero gets its tasks back, because a rollout of no tasks is complete at once and proves nothing.
def to_update:
  del(.clientToken, .desiredCount, .launchType, .role, .schedulingStrategy, .tags)
  | . + {service: env.ECS_SERVICE, taskDefinition: env.revision}
  | (env.MIN_TASKS | tonumber) as $least
  | if (env.desired | tonumber) < $least then .desiredCount = $least else . end
  | tojson;

# --- its scaling: infra/autoscaling.json ---

def scaled:
  {
    ServiceNamespace: "ecs",
    ResourceId: "service/\(env.ECS_CLUSTER)/\(env.ECS_SERVICE)",
    ScalableDimension: "ecs:service:DesiredCount"
  };

# The target, then its policies.
def to_scale:
  . as [$scaling, $stack]
  | (scaled + {MinCapacity: (env.MIN_TASKS | tonumber), MaxCapacity: (env.MAX_TASKS | tonumber)}),
    ($scaling.policies[] + scaled
      | (.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification
          | select(.PredefinedMetricType == "ALBRequestCountPerTarget")
          | .ResourceLabel) = $stack.ScalingResourceLabel)
  | tojson;

# Of an answer to describe-scaling-policies and the document: what deletes each policy that is only in the answer.
def unnamed_policies:
  . as [$there, $scaling]
  | ([$there.ScalingPolicies[].PolicyName] - [$scaling.policies[].PolicyName])[]
  | scaled + {PolicyName: .}
  | tojson;

# --- a rollout: one of the service's deployments ---

# Of an answer to describe-services, create-service or update-service; null where there is none (any more).
def service: .service // .services[0] | select(.status != "INACTIVE") // null;

def primary: first(service.deployments[]? | select(.status == "PRIMARY")) // null;

# Of a deployment; empty where it is complete and none of its tasks runs any more.
def state_of_rollout: if .rolloutState == "COMPLETED" and .runningCount == 0 then "" else .rolloutState // "" end;

def ours: first(service.deployments[]? | select(.id == env.deployment)) // null;

def others: [service.deployments[]? | select(.id != env.deployment)];

# Of an answer that starts ours: its id, when it began, and the revisions that ECS could go back to.
def start:
  primary.id,
  (primary.createdAt | tojson),
  ([service.deployments[] | select(.status != "PRIMARY") | .taskDefinition] | tojson);

# When ours is no longer PRIMARY, ECS went back by itself, or somebody has deployed or gone back since: ECS itself leaves
# only what has failed. Where it is not even listed any more, nobody knows whether it had served.
def verdict:
  primary as $now
  | if service.status != "ACTIVE" then "deleted"
    elif ours.status == "PRIMARY" then
      {COMPLETED: "serving", FAILED: "failed"}[ours.rolloutState // ""] // "going on"
    elif ours.rolloutState == "COMPLETED" then "served, and then overtaken"
    elif $now.rolloutStateReason // "" | test("rolling back") then "rolled back"
    elif (ours.rolloutState // "FAILED") == "FAILED"
      and (env.earlier | fromjson | any(.[]; . == $now.taskDefinition)) then "rolled back"
    elif ours == null then "overtaken"
    else "overtaken before it served" end;

def progress:
  ours as $ours
  | ([others[] | .runningCount + .pendingCount] | add // 0) as $leaving
  | if $ours == null then "ECS does not list it"
    else
      "\($ours.runningCount) of \($ours.desiredCount) tasks run"
      + (if $ours.pendingCount > 0 then ", \($ours.pendingCount) starting" else "" end)
      + (if ($ours.failedTasks // 0) > 0 then ", \($ours.failedTasks) failed" else "" end)
      + (if $ours.status != "PRIMARY" or $ours.rolloutState != "IN_PROGRESS" then ", \($ours.rolloutState)"
        elif $ours.runningCount < $ours.desiredCount then ", waiting for tasks to start"
        elif $leaving > 0 then ", waiting for them to be healthy, then for \($leaving) earlier to end"
        else ", waiting for them to be healthy" end)
    end;

# What ECS has said since ours began, oldest first. The CLI writes times as numbers (version 1) or as text (version 2):
# both compare among themselves.
def events: (env.began | fromjson) as $began | [service.events[]? | select(.createdAt >= $began)] | reverse;

# What a look at the service tells, a line each; the events that were not there before are the last.
def news:
  (ours != null),
  verdict,
  progress,
  ([service.events[]?.id] | tojson),
  ((env.told_events | fromjson) as $told | events[] | select(.id as $id | all($told[]; . != $id)) | .message | line);

def reasons: (primary.taskDefinition // "" | revision), (ours.rolloutStateReason // "ECS gives no reason" | line);

# --- going back: which revisions have served ---

def to_list_served:
  {cluster: env.ECS_CLUSTER, service: env.ECS_SERVICE, status: ["SUCCESSFUL"], maxResults: 100}
  | if env.next_page != "" then .nextToken = env.next_page else . end
  | tojson;

# Of the answers to list-service-deployments: what they rolled out, the last first, as many as ECS describes at once.
def last_first:
  reduce (.serviceDeployments | sort_by(.createdAt | seconds)[].targetServiceRevisionArn) as $arn
    ([]; . - [$arn] + [$arn])
  | reverse[:20];

def to_describe_served: last_first | select(. != []) | {serviceRevisionArns: .} | tojson;

# Of that answer and one to describe-service-revisions: the numbers of the revisions of this family, the last first, each
# once: a revision can have been rolled out with several configurations of the service.
def served:
  . as [$deployments, $described]
  | ([$described.serviceRevisions[] | {(.serviceRevisionArn): .taskDefinition}] | add // {}) as $task
  | reduce ($deployments | last_first[] | $task[.] // empty | number) as $number ([]; . + ([$number] - .))
  | tojson;

# Of a service: what has served and is on its way in again, while a later one leaves, is where it goes back to already.
def goes_back_to:
  (env.served | fromjson) as $served
  | (env.present | tonumber) as $present
  | if env.state == "IN_PROGRESS"
      and any($served[]; . == $present)
      and any(service.deployments[].taskDefinition | number; . > $present)
    then $present
    else first($served[] | select(. < $present)) // empty end;

# --- its stopped tasks ---

# Of an answer to list-tasks.
def to_describe:
  (.taskArns - (env.told_tasks | fromjson))[:100]
  | select(. != [])
  | {cluster: env.ECS_CLUSTER, tasks: .}
  | tojson;

# Of an answer to describe-tasks, a line each: whether tasks of ours are about to end, all that need not be asked for
# again, and those of ours that have ended.
def sort_tasks:
  [.tasks[] | select(.startedBy == env.deployment)] as $ours
  | [$ours[] | select(env.all != "" or .lastStatus == "STOPPED" or .lastStatus == "DEPROVISIONING")] as $ended
  | (if $ended == $ours then "" else "yes" end),
    (((env.told_tasks | fromjson) + ([.tasks[].taskArn] - [($ours - $ended)[].taskArn])) | tojson),
    ($ended | sort_by(.stoppedAt)[] | tojson);

def task_id: .taskArn | split("/") | last;

def has_run: any(.containers[]; .name == env.CONTAINER_NAME and .exitCode != null);

def end_of_container:
  [
    (if .exitCode != null then "exit code \(.exitCode)" else empty end),
    (.reason // empty),
    (if .healthStatus == "UNHEALTHY" then "unhealthy" else empty end)
  ]
  | if . == [] then "no exit code" else join(", ") end;

def end_of_task:
  "\(task_id) \(.stopCode // "stopped"): \(.stoppedReason // "no reason given")"
  + ([.containers[] | "; \(.name): \(end_of_container)"] | add // "")
  | line;
