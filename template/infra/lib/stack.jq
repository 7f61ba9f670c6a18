# How the stack is asked for, and how the answers of CloudFormation are read. `env.NAME` is a variable of the scripts.

# Text of somebody else's: on one line, without control characters.
def line: tostring | gsub("[[:cntrl:][:space:]]+"; " ");

# Of a comma separated setting.
def listed: split(",") | map(gsub("^\\s+|\\s+$"; "") | select(. != ""));

# --- the stack as it is ---

# Its parameters, if it has ever come up.
def had:
  if .StackStatus | test("^(REVIEW_|ROLLBACK_|CREATE_FAILED)") then {}
  else .Parameters // [] | map({(.ParameterKey): .ParameterValue}) | add // {} end;

def stack:
  .Stacks[0]
  | had as $had
  | .StackStatus, .StackId, ("VpcId", "SubnetIds", "GitHubSubject" | $had[.] // "");

# The settings that name something of it, and what each was when the stack was last changed.
def names:
  .Stacks[0]
  | had as $had
  | ["AppName", "APP_NAME"],
    ["RepositoryName", "ECR_REPOSITORY"],
    ["LogGroupName", "LOG_GROUP"],
    ["ClusterName", "ECS_CLUSTER"],
    ["ServiceName", "ECS_SERVICE"],
    ["ExecutionRoleName", "EXECUTION_ROLE"],
    ["TaskRoleName", "TASK_ROLE"],
    ["DeployRoleName", "DEPLOY_ROLE"]
  | . as [$parameter, $setting]
  | $had[$parameter] // empty
  | "\($setting) \(.)";

# --- what runs now: of an answer to describe-services ---

def deployments: .services[] | select(.status == "ACTIVE") | .deployments[]?;

# While a rollout is under way, ECS may go back to the revision before.
def serving: [deployments.taskDefinition] | unique[];

def running_subnets:
  [deployments | select(.runningCount + .pendingCount > 0) | .networkConfiguration.awsvpcConfiguration.subnets[]?]
  | unique
  | join(",");

def tasks: "\(.) task\(if . == 1 then "" else "s" end)";

# What a service that is being deleted still has; empty where it is gone.
def draining: .services[] | select(.status != "INACTIVE") | .runningCount | tasks;

# Of two answers to list-tasks: as many of the tasks as ECS describes at once, but for those known to have stopped.
def to_describe:
  (map(.taskArns[]) - (env.stopped_tasks | fromjson))[:100]
  | select(. != [])
  | {cluster: env.ECS_CLUSTER, tasks: .}
  | tojson;

# The same, in words.
def not_stopped: to_describe | fromjson.tasks | length | tasks;

def now_stopped:
  (env.stopped_tasks | fromjson) + [.tasks[] | select(.lastStatus == "STOPPED") | .taskArn] | tojson;

# --- what is asked for ---

def arn($service; $region; $account; $what):
  "arn:\(env.AWS_PARTITION):\($service):\($region):\($account):\($what)";

def arn($service; $what): arn($service; env.AWS_REGION; env.AWS_ACCOUNT_ID; $what);

# What "secrets" of a task definition name: ARNs of Secrets Manager, which may go on with a key, a stage and a version,
# and names or ARNs of Parameter Store.
def secrets:
  [.containerDefinitions[]? | .secrets[]?, .logConfiguration.secretOptions[]? | .valueFrom]
  | {
      managed: map(select(contains(":secretsmanager:")) | split(":")[:7] | join(":")) | unique,
      stored: map(
        select(contains(":secretsmanager:") | not)
        | if startswith("arn:") then . else arn("ssm"; "parameter/" + ltrimstr("/")) end
      ) | unique
    };

# A profile such as us.PROVIDER.MODEL sends a request on to the model in any region of its own choice.
def model_arns:
  if test("^arn:.*:inference-profile/") then
    ., arn("bedrock"; "*"; ""; "foundation-model/\(sub(".*:inference-profile/[a-z-]+\\."; ""))")
  elif startswith("arn:") then .
  elif test("^([a-z]{2}(-gov)?|apac|global)\\.") then
    arn("bedrock"; "inference-profile/\(.)"), arn("bedrock"; "*"; ""; "foundation-model/\(sub("^[a-z-]+\\."; ""))")
  else arn("bedrock"; env.AWS_REGION; ""; "foundation-model/\(.)") end;

def models: [env.BEDROCK_MODELS | listed[] | model_arns];

# Of infra/task-definition.json: ARNs that grant less than they seem to.
def arn_complaint:
  first(
    (secrets.managed[] | select(test(":secret:.+-[A-Za-z0-9]{6}$") | not)
      | "infra/task-definition.json names the secret \(.) without the six characters that Secrets Manager adds, so no"
        + " permission would match it: copy the whole ARN, which ends in -??????, from aws secretsmanager"
        + " list-secrets"),
    (models
      | select(any(contains(":application-inference-profile/")) and (any(contains(":foundation-model/")) | not))
      | "BEDROCK_MODELS in infra/settings.env names an application inference profile, but not the model behind it: add"
        + " the id of what it was created from, for example us.amazon.nova-lite-v1:0"),
    ""
  );

# Of infra/task-definition.json and the revisions that serve: every parameter of infra/stack.yml. The execution role may
# read the secrets of both, so that provisioning and deploying can come in any order.
def parameters($serving):
  [., $serving[] | secrets]
  | {managed: map(.managed[]) | unique, stored: map(.stored[]) | unique}
  | . as $secrets
  | {
      AppName: env.APP_NAME,
      RepositoryName: env.ECR_REPOSITORY,
      LogGroupName: env.LOG_GROUP,
      LogRetentionDays: env.LOG_RETENTION_DAYS,
      ClusterName: env.ECS_CLUSTER,
      ServiceName: env.ECS_SERVICE,
      ExecutionRoleName: env.EXECUTION_ROLE,
      SecretArns: ($secrets.managed | join(",")),
      ParameterArns: ($secrets.stored | join(",")),
      SecretsKeyArn: env.SECRETS_KMS_KEY_ARN,
      TaskRoleName: env.TASK_ROLE,
      BedrockModelArns: (models | join(",")),
      S3BucketArns: ([env.S3_READ_BUCKETS | listed[] | arn("s3"; ""; ""; .)] | join(",")),
      Tracing: env.TRACING,
      DeployRoleName: env.DEPLOY_ROLE,
      GitHubSubject: env.subject,
      VpcId: env.vpc,
      SubnetIds: (env.subnets | listed | join(",")),
      TaskSubnetIds: (env.task_subnets | listed | join(",")),
      AssignPublicIp: env.ASSIGN_PUBLIC_IP,
      DomainName: env.DOMAIN_NAME,
      CertificateArn: env.CERTIFICATE_ARN,
      AlarmTopicArn: env.ALARM_TOPIC_ARN
    };

# CloudFormation takes a resource over that is there already, from an earlier stack or made by hand, if the template
# says its name as a word, not by reference: so these two are written into the template.
def with_names:
  gsub("(?<key>\\n +RepositoryName: )!Ref RepositoryName\\n"; "\(.key)\(env.ECR_REPOSITORY)\n")
  | gsub("(?<key>\\n +LogGroupName: )!Ref LogGroupName\\n"; "\(.key)\(env.LOG_GROUP)\n");

def to_create_change_set($template; $serving):
  {
    StackName: env.STACK_NAME,
    ChangeSetName: env.change_set,
    ChangeSetType: (if env.status == "" or env.status == "REVIEW_IN_PROGRESS" then "CREATE" else "UPDATE" end),
    Capabilities: ["CAPABILITY_NAMED_IAM"],
    ImportExistingResources: true,
    TemplateBody: ($template | with_names),
    Parameters: (parameters($serving) | to_entries | map({ParameterKey: .key, ParameterValue: .value}))
  }
  | tojson;

# --- the network ---

def default_subnets_to_describe:
  {Filters: [{Name: "vpc-id", Values: [env.vpc]}, {Name: "default-for-az", Values: ["true"]}]} | tojson;

def internet_gateways_to_describe: {Filters: [{Name: "attachment.vpc-id", Values: [env.vpc]}]} | tojson;

def subnets_to_describe:
  {SubnetIds: ([env.subnets, env.task_subnets, (env.running_subnets | select(. != "") | ., env.had_subnets)]
    | map(listed[]) | unique)}
  | tojson;

def described($ids): ($ids | listed) as $wanted | .Subnets | map(select(.SubnetId | IN($wanted[])));

def for_the_balancer: described(env.subnets);

def named: "\(.SubnetId) (\(.AvailabilityZone))";

# A load balancer takes one subnet of each zone, in two zones or more, and sends no requests to any other zone.
def subnet_complaint:
  (for_the_balancer | map(.AvailabilityZone)) as $zones
  | first(
      (.Subnets[] | select(.VpcId != env.vpc) | "the subnet \(.SubnetId) is not of \(env.vpc)"),
      (for_the_balancer | group_by(.AvailabilityZone)
        | (.[] | select(length > 1)
            | "the load balancer takes one subnet of each zone, and \(map(.SubnetId) | join(", ")) are all of"
              + " \(.[0].AvailabilityZone)"),
          (select(length < 2)
            | "the load balancer needs subnets in two zones or more, and those of \(env.vpc) are in \(length)")),
      (described(env.task_subnets)[] | select(.AvailabilityZone | IN($zones[]) | not)
        | "TASK_SUBNET_IDS names \(named), a zone that the load balancer is not in: tasks there get no requests"),
      ""
    );

# The tasks that a change of the load balancer's zones would cut off until the next deploy.
def cut_off:
  ([described(env.had_subnets), for_the_balancer | map(.AvailabilityZone)] | .[0] - .[1]) as $leaving
  | described(env.running_subnets) | map(select(.AvailabilityZone | IN($leaving[])) | named) | join(", ");

def in_zones: sort_by(.AvailabilityZone) | map(named) | join(", ");

def zones: for_the_balancer | in_zones;

def where_tasks_run:
  "\(if env.ASSIGN_PUBLIC_IP == "ENABLED" then "with" else "without" end) public addresses, in "
    + if env.task_subnets == "" then "the same subnets" else described(env.task_subnets) | in_zones end;

# --- the subject ---

# Of GitHub's answer: how the subjects of a repository begin, where it has not made up its own kind.
def subject:
  select(.use_default != false or (.include_claim_keys // ["repo", "context"]) == ["repo", "context"])
  | .sub_claim_prefix // empty
  | if env.GITHUB_ENVIRONMENT != "" then "\(.):environment:\(env.GITHUB_ENVIRONMENT | gsub(":"; "%3A"))"
    else "\(.):ref:refs/heads/main" end;

# --- a change set ---

def words:
  if .Action == "Modify" then
    {"True": "replace", "Conditional": "change or replace"}[.Replacement // ""] // "change"
  else {Add: "add", Remove: "remove", Import: "take over"}[.Action] // .Action end;

def changes: [.Changes[]?.ResourceChange | {word: words, id: .LogicalResourceId, type: .ResourceType}];

def summary:
  if . == [] then "nothing to change"
  else group_by(.word) | map("\(length) to \(.[0].word)") | join(", ") end;

def takes_over($id): any(.word == "take over" and .id == $id);

# Of DescribeEvents. A name that is taken is the one thing that the settings can fix.
def not_valid:
  [.OperationEvents[]? | select(.EventType == "VALIDATION_ERROR") | "\(.LogicalResourceId): \(.ValidationStatusReason)"]
  | .[0] // "" | line
  | if endswith("already exists.") then . + " Delete that, or choose another name in infra/settings.env" else . end;

def padded($width): . + (" " * ([$width - length, 0] | max) // "");

# --- what becomes of it: the events of the stack, newest first ---

def of_the_stack: .PhysicalResourceId == .StackId;

def newest_state: first(.StackEvents[] | select(of_the_stack) | .ResourceStatus) // "";

# Oldest first.
def untold: (env.told | fromjson) as $told | [.StackEvents[] | select(.EventId | IN($told[]) | not)] | reverse;

def failed: (.ResourceStatus | endswith("_FAILED")) and (.ResourceStatusReason // "" | test("cancelled$") | not);

def reason: .ResourceStatusReason // "no reason given" | line;

def happened:
  (.ResourceStatus | if endswith("_FAILED") then "failed" else {
    CREATE_COMPLETE: "made",
    UPDATE_COMPLETE: "changed",
    IMPORT_COMPLETE: "taken over",
    DELETE_COMPLETE: "removed",
    DELETE_SKIPPED: "kept"
  }[.] end) // empty;

def news:
  untold[]
  | if of_the_stack then
      select(.ResourceStatus | endswith("ROLLBACK_IN_PROGRESS")) | "  it goes back: \(reason)"
    else
      "  \(happened | padded(10)) \(.LogicalResourceId) (\(.ResourceType))"
      + (if .ResourceStatus | endswith("_FAILED") then ": \(reason)" else "" end)
    end;

# The first that failed; only where no resource did, the stack itself.
def failure:
  [untold[] | select(failed)]
  | (map(select(of_the_stack | not) | "\(.LogicalResourceId): \(reason)") + map(reason))[0] // "";

def state: [untold[] | select(of_the_stack) | .ResourceStatus] | last // "";

def now_told: (env.told | fromjson) + [.StackEvents[].EventId] | unique | tojson;

def under_way:
  reduce (.StackEvents | reverse)[] as $event ({}; .[$event.LogicalResourceId] = $event)
  | [.[] | select((of_the_stack | not) and (.ResourceStatus | endswith("_IN_PROGRESS"))) | .LogicalResourceId]
  | if . == [] then "waiting for CloudFormation" else "waiting for " + join(", ") end;

# Four lines, and one for each thing that is new.
def digest: state, failure, now_told, under_way, news;

# --- what it costs ---

def counted($number; $thing; $more): "\($number) \($thing)\(if $number == 1 then "" else $more end)";

# Of a size in a task definition: 256 and "256" are units, 1024 of which are a "1 vCPU" or "1 GB"; 512 is "512 MB", too.
def units: tostring | capture("^\\s*(?<number>[0-9.]+)\\s*(?<unit>[a-z]*)\\s*$"; "i")
  | (.number | tonumber) * (if .unit | IN("", "MB", "mb", "MiB") then 1 else 1024 end);

# Of infra/task-definition.json. Dollars an hour in us-east-1 as of 2026-04, and 730 hours a month: a rough figure.
def cost:
  {X86_64: [0.04048, 0.004445], ARM64: [0.03238, 0.00356]}[.runtimePlatform.cpuArchitecture] as [$vcpu, $gb]
  | (env.MIN_TASKS | tonumber) as $tasks
  | ((env.subnets | listed | length) + (if env.ASSIGN_PUBLIC_IP == "ENABLED" then $tasks else 0 end)) as $addresses
  | (730 * 0.0225) as $balancer
  | (730 * 0.005 * $addresses) as $ipv4
  | (730 * $tasks * ((.cpu | units) / 1024 * $vcpu + (.memory | units) / 1024 * $gb)) as $fargate
  | "about $\($balancer + $ipv4 + $fargate | round) a month without traffic: the load balancer $\($balancer | round),"
    + " \(counted($addresses; "public address"; "es")) $\($ipv4 | round),"
    + " \(counted($tasks; "task"; "s")) $\($fargate | round)"
    + " (a rough figure, from prices of us-east-1 in April 2026)";
