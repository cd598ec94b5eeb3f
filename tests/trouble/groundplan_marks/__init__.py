"""A plugin for rehearsing trouble: its operation marks on disk when it begins and ends, and can be held up."""
