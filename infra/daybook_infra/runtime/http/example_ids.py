"""The ids and the position in all examples of the APIs' documents, so that examples of different pages fit together."""

from typing import Final

ORG_ID: Final = "3f0d9a52-6b1c-4f5e-9d4a-1c2b3a4d5e6f"
USER_ID: Final = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
COMMAND_ID: Final = "01930d5c-8a3b-7c1d-9e2f-0a1b2c3d4e5f"
ENTRY_ID: Final = "01930d5c-8a3b-8b7e-a4c1-5d2e8f907a6b"
POSITION: Final = "3.1042"
