"""Episodes: what the model writes for a problem over its turns, with tools between them.

`loop` holds the one rule of turns and does nothing itself; `runner` makes episodes with an engine
of this process, the endpoint over its replicas; `writer` decodes turns that join and leave.
"""
