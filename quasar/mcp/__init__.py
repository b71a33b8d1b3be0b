"""The verification tool for any agent, over the Model Context Protocol."""
