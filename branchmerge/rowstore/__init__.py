"""Every answer that was paid for, kept by the content of what was asked."""
