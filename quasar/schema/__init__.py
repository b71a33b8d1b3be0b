"""What goes over a wire, for the endpoint, its client and the tools of agents."""
