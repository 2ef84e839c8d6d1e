"""What both services' HTTP servers share: limits on clients, the protocol that keeps them, headers, the admin port."""
