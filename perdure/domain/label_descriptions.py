"""What common labels mean, in a line: a bare name says too little to an embedding model."""


def descriptions_of(name: str) -> tuple[str, ...]:
    """Descriptions of a label's name in several wordings, the plainest first; none for a name that is not known."""
    return ()
