"""The repository as a user's project: its model fixtures reach the gate here, and nowhere else."""

pytest_plugins = ["models.fixtures", "pytester"]
