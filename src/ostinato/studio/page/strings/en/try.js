export default {
  "try.title": "Try",
};
