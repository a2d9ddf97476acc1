"""What training runs share: run folder, backend, schedule, progress, quantisation, publishing."""
