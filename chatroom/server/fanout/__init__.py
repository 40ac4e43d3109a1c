"""Who hears what: events rendered once for each format and sent to all; answers to one."""
