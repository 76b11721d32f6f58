"""The checks of `runtime_cloud_security_profile_gate`, each against real processes (17.4)."""
