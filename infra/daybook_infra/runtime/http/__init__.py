"""What both services' HTTP servers share: tokens, rates, problems, limits on clients, the protocol that enforces these
limits, headers, the admin port.
"""
