export default {
  "runs.title": "학습 기록",
};
