export default {
  "train.title": "학습",
};
