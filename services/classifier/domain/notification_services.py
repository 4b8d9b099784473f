"""Services that send mail in the name of the people who use them.

Gathered by hand from general knowledge; each entry is a domain that only its owner sends from.
"""

#: They write in the name of whoever uses them, and nobody else can write from their domains. What
#: their users type still reaches the reader: a name that comes through them is not yet a proof.
NOTIFICATION_SERVICES = frozenset(
    [
        "docusign.net",
        "docusign.com",
        "adobesign.com",
        "echosign.com",
        "hellosign.com",
        "google.com",
        "sharepointonline.com",
        "teams.microsoft.com",
        "planner.office365.com",
        "dropbox.com",
        "dropboxmail.com",
        "box.com",
        "github.com",
        "gitlab.com",
        "bitbucket.org",
        "atlassian.net",
        "atlassian.com",
        "trello.com",
        "asana.com",
        "monday.com",
        "notion.so",
        "figma.com",
        "miro.com",
        "slack.com",
        "zoom.us",
        "webex.com",
        "calendly.com",
        "linkedin.com",
    ]
)
