// Search shows excerpts by fetching the pages that it found. A browser forbids that for pages opened
// from a disk, so there the results are shown without excerpts.
"use strict";

if (window.location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
