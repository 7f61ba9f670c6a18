"""Every mistake in this list breaks an invariant of infra/stack.yml, and is noticed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from simulator.cloudformation.template_text import BadTemplate, references
from tests.stack.invariants import (
    INVARIANTS,
    Invariant,
    alarms,
    load_balancer,
    names,
    observation,
    outputs,
    permissions,
    reachability,
    template,
)
from tests.stack.rendered_service import RenderedService
from tests.stack.switches import ALL, SWITCHES
from tests.support.rendering import Render


class Mistake(NamedTuple):
    breaks: Invariant
    right: str
    wrong: str
    file: str = "infra/stack.yml"


SETTINGS = "infra/settings.toml"
TASK = "infra/task-definition.json"

# fmt: off
MISTAKES: dict[str, Mistake] = {
    "a misspelt reference": Mistake(
        template.every_reference_has_a_target_and_none_is_circular,
        "TargetGroupArn: !Ref TargetGroup\n", "TargetGroupArn: !Ref TargetGruop\n",
    ),
    "a misspelt attribute": Mistake(
        template.every_reference_has_a_target_and_none_is_circular,
        "!GetAtt LoadBalancer.DNSName", "!GetAtt LoadBalancer.DnsName",
    ),
    "a condition that is not there": Mistake(
        template.every_reference_has_a_target_and_none_is_circular,
        "Condition: HasTracing", "Condition: IsTraced",
    ),
    "a reference to what only a certificate makes": Mistake(
        template.every_reference_has_a_target_and_none_is_circular,
        "!If [HasCertificate, !Ref HttpsListener, nothing]", "!Ref HttpsListener",
    ),
    "two groups that wait for each other": Mistake(
        template.every_reference_has_a_target_and_none_is_circular,
        "          CidrIp: 0.0.0.0/0\n\n  # A separate resource",
        "          DestinationSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId\n"
        "\n  # A separate resource",
    ),
    "an unknown intrinsic function": Mistake(
        template.every_reference_has_a_target_and_none_is_circular,
        "!Split [", "!Splitt [",
    ),
    "a parameter without use": Mistake(
        template.every_parameter_and_condition_is_used,
        "RetentionInDays: !Ref LogRetentionDays", "RetentionInDays: 30",
    ),
    "a condition without use": Mistake(
        template.every_parameter_and_condition_is_used,
        "    Condition: HasTracing\n", "",
    ),
    "a parameter that nothing feeds": Mistake(
        template.every_parameter_has_a_source,
        "  TaskRoleName:\n", "  Boundary:\n    Type: String\n  TaskRoleName:\n",
    ),
    "a setting that is gone": Mistake(
        template.every_parameter_has_a_source,
        's3_read_buckets = []\n', "", SETTINGS,
    ),
    "a default beside the setting": Mistake(
        template.only_parameters_that_may_be_empty_have_a_default,
        "  LogRetentionDays:\n", "  LogRetentionDays:\n    Default: 30\n",
    ),
    "no default where a setting is empty": Mistake(
        template.only_parameters_that_may_be_empty_have_a_default,
        '  DomainName:\n    Type: String\n    Default: ""\n', "  DomainName:\n    Type: String\n",
    ),
    "a task definition in the stack": Mistake(
        template.nothing_of_the_service_is_in_the_stack,
        "Type: AWS::ECS::Cluster", "Type: AWS::ECS::TaskDefinition",
    ),
    "too many comments": Mistake(
        template.the_template_is_small_enough_to_be_sent_inline,
        "Resources:\n", "Resources:\n" + f"  # {'x' * 116}\n" * 300,
    ),
    "images that go with the stack": Mistake(
        template.only_images_and_logs_are_kept,
        "    DeletionPolicy: Retain\n", "",
    ),
    "images that were there, and that a failed first try takes along": Mistake(
        template.only_images_and_logs_are_kept,
        "DeletionPolicy: Retain\n", "DeletionPolicy: RetainExceptOnCreate\n",
    ),
    "a log that a replacement deletes": Mistake(
        template.only_images_and_logs_are_kept,
        "    UpdateReplacePolicy: Retain\n    Properties:\n      LogGroupName",
        "    Properties:\n      LogGroupName",
    ),
    "a role that is kept": Mistake(
        template.only_images_and_logs_are_kept,
        "    Type: AWS::IAM::Role\n", "    Type: AWS::IAM::Role\n    DeletionPolicy: Retain\n",
    ),
    "the wrong role's name": Mistake(
        names.names_are_those_of_the_settings,
        "RoleName: !Ref TaskRoleName", "RoleName: !Ref ExecutionRoleName",
    ),
    "another name for the log": Mistake(
        names.names_are_those_of_the_documents,
        '[names]\n', '[names]\nlog_group = "/aws/ai-assistant-app"\n', SETTINGS,
    ),
    "another name for the role": Mistake(
        names.names_are_those_of_the_documents,
        "-execution", "-exec", TASK,
    ),
    "a name that grew": Mistake(
        names.the_longest_names_are_not_too_long,
        "${AppName}-alb", "${AppName}-load-balancer",
    ),
    "one name for all services": Mistake(
        names.two_services_can_share_an_account,
        "Name: !Sub ${AppName}-tg", "Name: targets",
    ),
    "443 open without a certificate": Mistake(
        reachability.allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443,
        "            - !Ref AWS::NoValue\n          - !Ref AWS::NoValue\n",
        "            - !Ref AWS::NoValue\n"
        "          - {IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}\n",
    ),
    "a listener whose port the security group closes": Mistake(
        reachability.allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443,
        "FromPort: 80, ToPort: 80,", "FromPort: 8080, ToPort: 8080,",
    ),
    "an address without a mask": Mistake(
        reachability.allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443,
        "CidrIp: 0.0.0.0/0", "CidrIp: 0.0.0.0",
    ),
    "open to everywhere, too": Mistake(
        reachability.allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443,
        "          - IsOpenToAll\n", "          - HasCertificate\n",
    ),
    "https that is open to everywhere": Mistake(
        reachability.allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443,
        "            - IsOpenToAll\n", "            - HasCertificate\n",
    ),
    "open to all but those of IPv4": Mistake(
        reachability.allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443,
        "!And [!Not [!Condition HasIpv4Ranges], !Not [!Condition HasIpv6Ranges]]",
        "!Not [!Condition HasIpv4Ranges]",
    ),
    "an allowed range without an entry": Mistake(
        reachability.every_allowed_range_is_an_entry_of_its_prefix_list,
        "          - HasIpv4Range7\n", "          - HasIpv4Range8\n",
    ),
    "a range of the other condition": Mistake(
        reachability.every_allowed_range_is_an_entry_of_its_prefix_list,
        "HasIpv6Range5: !Not [!Equals [!Select [4,", "HasIpv6Range5: !Not [!Equals [!Select [5,",
    ),
    "too few commas": Mistake(
        reachability.every_allowed_range_is_an_entry_of_its_prefix_list,
        '[9, !Split [",", !Sub "${AllowedIpv6Cidrs},,,,,,,,,"]]',
        '[9, !Split [",", !Sub "${AllowedIpv6Cidrs},,,,,,,,"]]',
    ),
    "room for more ranges than a group has": Mistake(
        reachability.the_allowed_ranges_fit_into_a_security_group,
        "MaxEntries: 20", "MaxEntries: 40",
    ),
    "a listener for https without a certificate": Mistake(
        reachability.allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443,
        "    Condition: HasCertificate\n", "",
    ),
    "a load balancer that reaches everything": Mistake(
        reachability.the_load_balancer_reaches_the_tasks_and_nothing_else,
        "DestinationSecurityGroupId: !GetAtt TaskSecurityGroup.GroupId", "CidrIp: 0.0.0.0/0",
    ),
    "tasks that the world reaches": Mistake(
        reachability.only_the_load_balancer_reaches_the_tasks,
        "SourceSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId", "CidrIp: 0.0.0.0/0",
    ),
    "tasks that the world reaches too": Mistake(
        reachability.only_the_load_balancer_reaches_the_tasks,
        "      GroupDescription: From the load balancer to the tasks\n",
        "      GroupDescription: From the load balancer to the tasks\n      SecurityGroupIngress:\n"
        "        - {IpProtocol: tcp, FromPort: 8080, ToPort: 8080, CidrIp: 0.0.0.0/0}\n",
    ),
    "a task's port that changed alone": Mistake(
        reachability.only_the_load_balancer_reaches_the_tasks,
        '"containerPort": 8080', '"containerPort": 8000', TASK,
    ),
    "tasks that cannot pull their image": Mistake(
        reachability.the_tasks_can_reach_every_address,
        '          IpProtocol: "-1"\n          CidrIp: 0.0.0.0/0\n',
        '          IpProtocol: "-1"\n          CidrIp: 10.0.0.0/8\n',
    ),
    "a range that limited tasks do not get": Mistake(
        reachability.limited_tasks_reach_what_is_listed_and_nothing_else,
        '!Select [2, !Split [",", !Sub "${EgressCidrs},,,,"]]}', '0.0.0.0/0}',
    ),
    "private subnets that the tasks do not get": Mistake(
        reachability.everything_is_in_the_one_network,
        "!If [HasTaskSubnets, !Ref TaskSubnetIds, !Ref SubnetIds]", "!Ref SubnetIds",
    ),
    "a load balancer without a public address": Mistake(
        reachability.everything_is_in_the_one_network,
        "Scheme: !Ref LoadBalancerScheme", "Scheme: internet-facing",
    ),
    "targets that are instances": Mistake(
        load_balancer.tasks_are_targets_by_address,
        "TargetType: ip", "TargetType: instance",
    ),
    "another port for the targets": Mistake(
        load_balancer.tasks_are_targets_by_address,
        "      Protocol: HTTP\n      Port: 8080\n", "      Protocol: HTTP\n      Port: 80\n",
    ),
    "a health check without a slash": Mistake(
        load_balancer.the_load_balancer_and_the_container_check_the_same_path,
        "HealthCheckPath: /health", "HealthCheckPath: health",
    ),
    "health that any answer proves": Mistake(
        load_balancer.the_load_balancer_and_the_container_check_the_same_path,
        'HttpCode: "200"', 'HttpCode: "200-499"',
    ),
    "health that is asked elsewhere": Mistake(
        load_balancer.the_load_balancer_and_the_container_check_the_same_path,
        "GET /health", "GET /docs", TASK,
    ),
    "a health check slower than its interval": Mistake(
        load_balancer.health_checks_fit_into_their_interval_and_the_grace_period,
        "HealthCheckTimeoutSeconds: 5", "HealthCheckTimeoutSeconds: 10",
    ),
    "health that comes after the grace period": Mistake(
        load_balancer.health_checks_fit_into_their_interval_and_the_grace_period,
        "      HealthyThresholdCount: 2", "      HealthyThresholdCount: 10",
    ),
    "a way in that ends nowhere": Mistake(
        load_balancer.every_listener_forwards_to_the_tasks,
        "          - Type: forward\n            TargetGroupArn: !Ref TargetGroup\n",
        "          - Type: fixed-response\n            FixedResponseConfig: {StatusCode: 503}\n",
    ),
    "a redirect without a certificate": Mistake(
        load_balancer.http_redirects_to_https_if_a_certificate_is_set_and_https_answers,
        "        - !If\n          - HasCertificate\n          - Type: redirect",
        "        - !If\n          - HasDomainName\n          - Type: redirect",
    ),
    "a redirect for a while": Mistake(
        load_balancer.http_redirects_to_https_if_a_certificate_is_set_and_https_answers,
        "HTTP_301", "HTTP_302",
    ),
    "a redirect before https answers": Mistake(
        load_balancer.http_redirects_to_https_if_a_certificate_is_set_and_https_answers,
        "    Metadata:\n", "    Metadata: {}\n    ReadMe:\n",
    ),
    "the default protocols of an API call": Mistake(
        load_balancer.https_uses_the_certificate_and_no_old_protocol,
        "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "ELBSecurityPolicy-2016-08",
    ),
    "headers that are let through": Mistake(
        load_balancer.the_load_balancer_drops_invalid_headers,
        'Value: "true"', 'Value: "false"',
    ),
    "a server that hangs up first": Mistake(
        load_balancer.the_server_keeps_idle_connections_longer_than_the_load_balancer,
        "keepalive = 75", "keepalive = 60", "gunicorn.conf.py",
    ),
    "a longer idle timeout alone": Mistake(
        load_balancer.the_server_keeps_idle_connections_longer_than_the_load_balancer,
        'Value: "60"', 'Value: "300"',
    ),
    "a shorter deregistration delay": Mistake(
        load_balancer.no_request_is_cut_off_by_a_rollout,
        'Value: "50"', 'Value: "30"',
    ),
    "a deregistration delay of a day": Mistake(
        load_balancer.no_request_is_cut_off_by_a_rollout,
        'Value: "50"', 'Value: "99999"',
    ),
    "a longer graceful timeout alone": Mistake(
        load_balancer.no_request_is_cut_off_by_a_rollout,
        "graceful_timeout = 30", "graceful_timeout = 40", "gunicorn.conf.py",
    ),
    "a managed policy": Mistake(
        permissions.every_permission_is_a_policy_of_its_own,
        "      RoleName: !Ref TaskRoleName\n",
        "      RoleName: !Ref TaskRoleName\n"
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n",
    ),
    "a trust in tasks of every account": Mistake(
        permissions.only_tasks_of_this_account_and_region_can_assume_their_roles,
        "              StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}\n", "",
    ),
    "a trust in every service of ECS": Mistake(
        permissions.only_tasks_of_this_account_and_region_can_assume_their_roles,
        "Principal: {Service: ecs-tasks.amazonaws.com}", "Principal: {Service: ecs.amazonaws.com}",
    ),
    "a trust in tasks of every region": Mistake(
        permissions.only_tasks_of_this_account_and_region_can_assume_their_roles,
        ":ecs:${AWS::Region}:${AWS::AccountId}:*", ":ecs:*:${AWS::AccountId}:*",
    ),
    "a trust in every audience": Mistake(
        permissions.exactly_one_subject_of_github_can_assume_the_deploy_role,
        "                token.actions.githubusercontent.com:aud: sts.amazonaws.com\n", "",
    ),
    "a trust in subjects that look alike": Mistake(
        permissions.exactly_one_subject_of_github_can_assume_the_deploy_role,
        "              StringEquals:\n                token", "              StringLike:\n"
        "                token",
    ),
    "a trust in two subjects": Mistake(
        permissions.exactly_one_subject_of_github_can_assume_the_deploy_role,
        ":sub: !Ref GitHubSubject", ':sub: [!Ref GitHubSubject, "repo:a/b:pull_request"]',
    ),
    "a subject with a star": Mistake(
        permissions.a_subject_of_many_branches_is_refused,
        "AllowedPattern: ^[^*?]+:[^*?]+$", "AllowedPattern: ^.+:.+$",
    ),
    "every repository to pull from": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "              - !GetAtt Repository.Arn\n", '              - "*"\n',
    ),
    "every image of the account that hosts GuardDuty's agent": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "repository/aws-guardduty-agent-fargate", "repository/*",
    ),
    "every bucket of files": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "Resource: !Ref FileBucketArns", 'Resource: "*"',
    ),
    "files that the app reads": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "      RoleName: !Ref ExecutionRole\n      PolicyName: read-files",
        "      RoleName: !Ref TaskRole\n      PolicyName: read-files",
    ),
    "log groups that are created where they are written to": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "Resource: !Ref CreatedLogGroupArns", "Resource: !Ref OtherLogGroupArns",
    ),
    "images of others without need": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "    Condition: HasImageRepositories\n", "    Condition: HasSecrets\n",
    ),
    "every secret to read": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "Resource: !Ref SecretArns", 'Resource: "*"',
    ),
    "secrets that are parameters": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "Resource: !Ref ParameterArns", "Resource: !Ref SecretArns",
    ),
    "secrets that the app reads": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "      RoleName: !Ref ExecutionRole\n      PolicyName: read-secrets",
        "      RoleName: !Ref TaskRole\n      PolicyName: read-secrets",
    ),
    "a right to make log groups": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "              - logs:CreateLogStream\n",
        "              - logs:CreateLogGroup\n              - logs:CreateLogStream\n",
    ),
    "every key": Mistake(
        permissions.the_execution_role_does_exactly_what_the_task_definition_needs,
        "Resource: !Ref SecretsKeyArn", 'Resource: "*"',
    ),
    "a key that opens all that it locks": Mistake(
        permissions.only_the_permission_for_the_secrets_key_has_a_condition,
        "                  - !Sub ssm.${AWS::Region}.amazonaws.com*\n",
        "                  - !Sub lambda.${AWS::Region}.amazonaws.com*\n",
    ),
    "traces without a setting": Mistake(
        permissions.the_task_role_may_do_what_the_settings_say_and_nothing_without,
        "    Condition: HasTracing\n", "",
    ),
    "every model": Mistake(
        permissions.the_task_role_may_do_what_the_settings_say_and_nothing_without,
        "Resource: !Ref BedrockModelArns",
        "Resource: !Sub arn:${AWS::Partition}:bedrock:*::foundation-model/*",
    ),
    "objects of the last bucket only": Mistake(
        permissions.the_task_role_may_do_what_the_settings_say_and_nothing_without,
        '!Join ["/*,", !Ref S3BucketArns]', '!Join [",", !Ref S3BucketArns]',
    ),
    "a deploy role that the stack lets do things": Mistake(
        permissions.the_stack_grants_the_deploy_role_nothing,
        "      RoleName: !Ref TaskRole\n      PolicyName: send-traces",
        "      RoleName: !Ref DeployRole\n      PolicyName: send-traces",
    ),
    "a star among the actions": Mistake(
        permissions.a_wildcard_resource_is_only_for_actions_without_resource_types,
        "ecr:BatchGetImage", "ecr:Batch*",
    ),
    "a star among the resources": Mistake(
        permissions.a_wildcard_resource_is_only_for_actions_without_resource_types,
        "Resource: !GetAtt LogGroup.Arn", 'Resource: "*"',
    ),
    "a misspelt action": Mistake(
        permissions.iam_accepts_every_policy,
        "ssm:GetParameters", "ssm:GetParamters",
    ),
    "a login to one repository": Mistake(
        permissions.iam_accepts_every_policy,
        'Resource: "*"  # this action has no resource type', "Resource: !GetAtt Repository.Arn",
    ),
    "two policies of one name": Mistake(
        permissions.iam_accepts_every_policy,
        "PolicyName: read-parameters", "PolicyName: read-secrets",
    ),
    "an ARN of one partition": Mistake(
        permissions.every_arn_is_of_this_partition_and_account,
        "arn:${AWS::Partition}:iam", "arn:aws:iam",
    ),
    "an ARN of one account": Mistake(
        permissions.every_arn_is_of_this_partition_and_account,
        ":ecs:${AWS::Region}:${AWS::AccountId}:service", ":ecs:${AWS::Region}:*:service",
    ),
    "tags that move": Mistake(
        permissions.images_are_immutable_and_scanned,
        "IMMUTABLE", "MUTABLE",
    ),
    "a registry that does not scan images": Mistake(
        permissions.images_are_immutable_and_scanned,
        "ScanOnPush: true", "ScanOnPush: false",
    ),
    "an alarm on another load balancer": Mistake(
        alarms.every_alarm_watches_this_load_balancer,
        "Value: !GetAtt LoadBalancer.LoadBalancerFullName", "Value: !Ref LoadBalancer",
    ),
    "an alarm on nothing": Mistake(
        alarms.every_alarm_watches_this_load_balancer,
        "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_5XX",
    ),
    "an alarm on silence": Mistake(
        alarms.every_alarm_watches_this_load_balancer,
        "TreatMissingData: notBreaching", "TreatMissingData: breaching",
    ),
    "silence that is taken for health": Mistake(
        alarms.an_outage_is_noticed_without_any_request,
        "TreatMissingData: breaching", "TreatMissingData: notBreaching",
    ),
    "a load balancer under the name of the domain": Mistake(
        outputs.an_output_has_the_load_balancers_own_name,
        "Value: !GetAtt LoadBalancer.DNSName", "Value: !Ref DomainName",
    ),
    "an alarm without its topic": Mistake(
        alarms.alarms_have_actions_only_if_a_topic_is_set,
        '      AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref "AWS::NoValue"]\n', "",
    ),
    "an alarm that tells an empty topic": Mistake(
        alarms.alarms_have_actions_only_if_a_topic_is_set,
        'OKActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref "AWS::NoValue"]',
        "OKActions: [!Ref AlarmTopicArn]",
    ),
    "an alarm for an average of errors": Mistake(
        alarms.an_alarm_goes_off_after_three_bad_minutes_as_its_description_says,
        "Statistic: Sum", "Statistic: Average",
    ),
    "an alarm that looks once an hour": Mistake(
        alarms.an_alarm_goes_off_after_three_bad_minutes_as_its_description_says,
        "Period: 60", "Period: 3600",
    ),
    "one failure that takes a task out": Mistake(
        alarms.the_load_balancer_checks_health_every_ten_seconds_and_needs_three_failures,
        "UnhealthyThresholdCount: 3", "UnhealthyThresholdCount: 2",
    ),
    "deployments of every service": Mistake(
        alarms.failed_deployments_of_this_service_alone_are_sent_to_the_topic,
        "service/${ClusterName}/${ServiceName}", "service/${ClusterName}/*",
    ),
    "deployments of whatever outcome": Mistake(
        alarms.failed_deployments_of_this_service_alone_are_sent_to_the_topic,
        "            - SERVICE_DEPLOYMENT_FAILED\n",
        "            - SERVICE_DEPLOYMENT_FAILED\n            - SERVICE_DEPLOYMENT_COMPLETED\n",
    ),
    "a rule without a target": Mistake(
        alarms.failed_deployments_of_this_service_alone_are_sent_to_the_topic,
        "    Condition: HasAlarmTopic\n", "",
    ),
    "an output that is gone": Mistake(
        outputs.the_outputs_are_those_that_the_tool_reads,
        "  AssignPublicIp:\n    Value: !Ref AssignPublicIp\n", "",
    ),
    "the label of the other order": Mistake(
        alarms.every_alarm_watches_this_load_balancer,
        "${LoadBalancer.LoadBalancerFullName}/${TargetGroup.TargetGroupFullName}",
        "${TargetGroup.TargetGroupFullName}/${LoadBalancer.LoadBalancerFullName}",
    ),
    "a url that the certificate is not for": Mistake(
        outputs.the_url_is_one_that_answers,
        "!If [HasDomainName, !Ref DomainName, !GetAtt LoadBalancer.DNSName]",
        "!GetAtt LoadBalancer.DNSName",
    ),
    "a certificate that the listener does not have": Mistake(
        load_balancer.https_has_the_certificate_that_the_stack_requests,
        "!If [RequestsCertificate, !Ref Certificate, !Ref CertificateArn]", "!Ref CertificateArn",
    ),
    "a record of addresses that nothing has": Mistake(
        load_balancer.the_record_of_the_domain_leads_to_the_load_balancer,
        "Type: A  # the load balancer has no IPv6 addresses", "Type: AAAA",
    ),
    "browsers that are told to insist on https unasked": Mistake(
        load_balancer.only_the_https_listener_adds_hsts_and_only_if_it_is_set,
        "        - HasHsts\n", "        - HasCertificate\n",
    ),
    "container insights of another kind": Mistake(
        observation.the_cluster_has_container_insights_only_if_they_are_set,
        "Value: !Ref ContainerInsights", "Value: enhanced",
    ),
    "a dashboard with a period that cloudwatch does not have": Mistake(
        observation.cloudwatch_draws_all_of_the_dashboard,
        '"view": "timeSeries", "period": 60\'', '"view": "timeSeries", "period": 61\'',
    ),
    "a certificate without a name": Mistake(
        outputs.a_certificate_without_its_name_is_refused,
        'Assert: !Not [!Equals [!Ref DomainName, ""]]', 'Assert: !Equals [!Ref VpcId, !Ref VpcId]',
    ),
}
# fmt: on


def broken(example: Render, folder: Path, mistake: Mistake) -> RenderedService:
    """A copy of the service with the mistake at the first place where it fits."""
    shutil.copytree(example.path, folder, dirs_exist_ok=True)
    text = example.text(mistake.file)
    assert mistake.right in text, f"{mistake.file} no longer says {mistake.right!r}"
    (folder / mistake.file).write_text(text.replace(mistake.right, mistake.wrong, 1))
    return RenderedService(Render(folder, example.answers))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(example: Render, tmp_path: Path, name: str) -> None:
    service = broken(example, tmp_path, MISTAKES[name])
    with pytest.raises((AssertionError, BadTemplate)):
        MISTAKES[name].breaks(service)


def test_every_invariant_is_broken_by_a_mistake() -> None:
    broken_by_some = {mistake.breaks.__name__ for mistake in MISTAKES.values()}
    assert INVARIANTS.keys() == broken_by_some, "add a mistake that breaks the invariant"


INDEPENDENT = {
    "Dashboard": {"CountsDeployments"},
    "DeployRole": {"HasPermissionsBoundary", "HasRolePath"},
    "ExecutionRole": {"HasPermissionsBoundary", "HasRolePath"},
    "LimitedTaskSecurityGroup": {"HasLimitedGroup"},
    "HttpsListener": {"HasHsts", "RequestsCertificate"},
    "LoadBalancer": {"HadDeletionProtection", "HadAccessLogs", "HasAccessLogs"},
    "LoadBalancerSecurityGroup": {"HasCertificate", "HasLimitedGroup"},
    "TaskRole": {"HasPermissionsBoundary", "HasRolePath"},
}


def test_cfn_lint_finds_a_mistake_and_nothing_else_whatever_the_settings(
    example: Render, tmp_path: Path
) -> None:
    """It weighs conditions too; with them decided it sees exactly what AWS is asked for.

    Few resources know two conditions, so nothing and everything have most that any settings make.
    Those of INDEPENDENT are each in a property of their own: with each alone, all forms are seen.
    """
    service = RenderedService(example)
    for name, resource in service.template["Resources"].items():
        known = set(references(resource)) & service.template["Conditions"].keys()
        of_ranges = {each for each in known if re.match("HasIpv|IsOpenToAll|HasEgress", each)}
        may = INDEPENDENT.get(name, set())
        assert len(known - of_ranges - may) <= (not of_ranges), (
            f"{name}: lint each combination of {sorted(known)} too"
        )
    paths = [service.render.path / "infra" / "stack.yml"]
    alone = ("certificate", "allowed", "allowed IPv6", "boundary", "protection", "egress")
    some = {name: SWITCHES[name] for name in (*alone, "zone", "dashboard")}
    for name, switch in {"nothing": {}, "everything": ALL, **some}.items():
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(service.without_conditions(**switch)))
    mistake = Mistake(
        permissions.images_are_immutable_and_scanned, "ScanOnPush: true", "ScanOnPull: true"
    )
    wrong = broken(example, tmp_path / "wrong", mistake).render.path / "infra" / "stack.yml"

    tool = Path(sys.executable).parent / "cfn-lint"
    options = ["--format", "json", "--include-checks", "I"]
    done = subprocess.run([tool, *options, "--", *paths, wrong], capture_output=True, text=True)
    found = {(finding["Filename"], finding["Message"]) for finding in json.loads(done.stdout)}
    noticed = {finding for finding in found if finding[0] == str(wrong)}
    assert any("ScanOnPull" in message for _, message in noticed), done.stderr
    assert found - noticed == set()
