"""The routes and messages of SpotOn's earlier backend, translated to today's services.

The web client that was written for it works unmodified. Off by default; see docs/COMPATIBILITY.md. That client sends
no authentication: whoever can reach the server may do here what an operator of the named environments may.
"""
