"""What both services' HTTP servers share: tokens, rates, problems, limits on clients, the protocol
that keeps them, headers, the admin port.
"""
