"""The Streamlit dashboard. Every figure on its pages comes from `storage.figures`."""
