"""What tests share besides the fixtures in conftest.py."""
