"""Where each national cloud is (Graph documentation, National cloud deployments)."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Cloud:
    """The endpoints of a cloud, and what it lacks."""

    graph_url: str
    authority_url: str
    has_permanent_delete: bool = False


CLOUDS = {
    "global": Cloud(
        "https://graph.microsoft.com",
        "https://login.microsoftonline.com",
        has_permanent_delete=True,
    ),
    "gcc_high": Cloud("https://graph.microsoft.us", "https://login.microsoftonline.us"),
    "dod": Cloud("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
    "china": Cloud("https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
}


def cloud_of(name: str, *, graph_url: str | None, authority_url: str | None) -> Cloud:
    """Return a cloud's endpoints, with those that the settings override."""
    cloud = CLOUDS[name]
    return replace(
        cloud,
        graph_url=(graph_url or cloud.graph_url).rstrip("/"),
        authority_url=(authority_url or cloud.authority_url).rstrip("/"),
    )
