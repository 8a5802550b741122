"""The MCP server: the eight verbs of agents over stdio, or over HTTP on this machine. `headway mcp` calls it.

server  the tools, their calls and errors
http    who is let in over HTTP: loopback, a token, no foreign origin
"""
