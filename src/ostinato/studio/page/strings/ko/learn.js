export default {
  "learn.title": "배우기",
};
