"""What cannot be imported: a server that begins with it ends."""

raise RuntimeError("this is not to be imported")
