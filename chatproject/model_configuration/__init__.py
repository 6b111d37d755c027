"""How the settings describe models: variables for one, a file for several."""
