"""What people see: pages drawn from `storage.trends`, nothing else."""
