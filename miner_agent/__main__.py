"""This will run the agent's command line as ``python -m miner_agent``."""

from miner_agent.cli import main

raise SystemExit(main())
