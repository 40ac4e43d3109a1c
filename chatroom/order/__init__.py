"""One room on several servers: what they all ask of it stands in one log, and each applies it.

Without I/O: `contract` is what stands in the log and what comes of it, `replica` the state machine,
`pending` what is under way. On Trio: `shared` is one server's part, `following` its reading,
`attendance` how it comes in and goes; `part` is what it brings and is told; `store` is what keeps
the log.
"""
