"""The models of the AWS API that botocore has, parsed once in a process."""

from botocore.loaders import Loader
from botocore.session import Session, get_session

# One for all sessions: with its cache, a session and its first client take 8 ms of CPU, not 57 ms
# (ECS, measured 2026-11-27). The folder of the user's own models is left out.
LOADER = Loader(include_default_search_paths=False, extra_search_paths=[Loader.BUILTIN_DATA_PATH])


def plain_session() -> Session:
    """A session that shares the models, for clients of the simulation itself."""
    session: Session = get_session()
    session.register_component("data_loader", LOADER)
    return session
