"""The parts that the HTTP servers of both services share: tokens, rate limits, problems, limits on clients and the
protocol that enforces them, headers, and the admin port.
"""
