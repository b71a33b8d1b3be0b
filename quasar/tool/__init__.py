"""The verification tool as others see it: one schema for the command line, HTTP and MCP.

`schema` is the contract (a problem and a circuit in; report, reward and observation out),
`description` tells an agent what it may ask, `mcp_server` serves both over MCP, `table` prints an
answer. The work is that of `quasar.verification` and `quasar.rewards`.
"""
