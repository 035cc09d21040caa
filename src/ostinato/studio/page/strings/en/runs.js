export default {
  "runs.title": "Runs",
};
