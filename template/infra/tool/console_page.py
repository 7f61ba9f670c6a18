"""Pages of the AWS Management Console. Pure."""

from infra.tool.service_names import Service

# "Service endpoints" of the AWS Management Console, by partition.
HOSTS = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def dashboard(service: Service, name: str) -> str:
    """The URL of a dashboard in CloudWatch."""
    host = HOSTS[service.partition].format(region=service.region)
    return f"https://{host}/cloudwatch/home?region={service.region}#dashboards/dashboard/{name}"
