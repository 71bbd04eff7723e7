"""From scores to `report.json`, and from reports to pages."""
