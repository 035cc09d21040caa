export default {
  "learn.title": "Learn",
};
