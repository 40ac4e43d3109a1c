"""The room's web page: the files that a browser gets, as they are. `main.js` is where to begin."""
