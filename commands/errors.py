"""What ends a command before it is done, and is said in a sentence."""

HELP = (
    "Are the AWS CLI's credentials and region set, or named by --profile and --region? "
    "Is --stack the stack's name?"
)
"""What to ask whoever cannot reach AWS."""


class UnreachableError(Exception):
    """AWS, or what was asked for there, cannot be reached."""


class RefusedError(Exception):
    """The command does not do what it was asked for; the message says why, and what to do."""
