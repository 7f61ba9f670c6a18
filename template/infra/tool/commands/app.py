"""All commands, in the order of the help."""

import typer

from infra.tool.commands.check import check
from infra.tool.commands.check_image import check_image
from infra.tool.commands.deploy import deploy
from infra.tool.commands.destroy import destroy
from infra.tool.commands.explain_credentials import explain_credentials
from infra.tool.commands.logs import logs
from infra.tool.commands.provision import provision
from infra.tool.commands.rollback import rollback
from infra.tool.commands.settings import print_settings
from infra.tool.commands.status import status

app = typer.Typer(
    name="infra",
    help="Provision, deploy and watch this service on AWS.",
    epilog="COMMAND --help explains exit codes. Settings are in infra/settings.toml.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(provision)
app.command()(deploy)
app.command()(rollback)
app.command()(status)
app.command()(logs)
app.command()(check)
app.command()(destroy)
app.command("test-image")(check_image)
app.command("settings")(print_settings)
app.command("explain-credentials")(explain_credentials)
