# shellcheck shell=bash
# The image of a commit: one tag for each commit, built and pushed once, deployed by its digest.
source infra/lib/checks.sh
source infra/lib/report.sh

# find_image imageTag=TAG, or imageDigest=DIGEST. Leaves $digest, empty where ECR has no such image.
digest=""
find_image() {
  digest=""
  try_ask ecr describe-images --repository-name "$ECR_REPOSITORY" --image-ids "$1"
  case "$refusal" in
    "") digest="$(jq --raw-output '.imageDetails[0].imageDigest // ""' "$scratch/answer")" ;;
    *ImageNotFoundException*) ;;
    *RepositoryNotFoundException*) not_there_yet "$AWS_REGION has no ECR repository $ECR_REPOSITORY" ;;
    *) refused "ecr describe-images" ;;
  esac
}

# DOCKER_BUILD_FLAGS are for machines that need more to build, such as --network=host. A push that fails is not the end:
# ECR refuses a tag that another deploy of this commit has pushed meanwhile, and then the image is there.
push_image() {
  local name="$ECR_REGISTRY/$ECR_REPOSITORY:$commit" flags
  check_docker
  read -r -a flags <<<"${DOCKER_BUILD_FLAGS:-}"

  ask ecr get-login-password
  docker login --username AWS --password-stdin "$ECR_REGISTRY" <"$scratch/answer" >/dev/null ||
    not_ready "docker cannot log in to $ECR_REGISTRY: the lines above say why"

  # No attestations: ECR would count each as an image of its own.
  export DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1
  in_group "Building $name for $platform" docker build --platform "$platform" --tag "$name" \
    --build-arg "COMMIT=$commit" ${flags[@]+"${flags[@]}"} . ||
    fail "the image does not build: the lines above say why"

  touched=yes
  in_group "Pushing it" docker push "$name" || warn "docker could not push it: asking ECR whether it is there all the same"
}

# Leaves $image by its digest: a tag could be moved, a digest cannot.
export image=""
provide_image() {
  find_image "imageTag=$commit"
  if [[ -z "$digest" ]]; then
    push_image
    find_image "imageTag=$commit"
    [[ -n "$digest" ]] ||
      fail "the image did not get to $ECR_REGISTRY: docker's lines above say why. Fix that, and deploy again"
  else
    say "ECR has an image under the tag of this commit: nothing is built"
  fi
  image="$ECR_REGISTRY/$ECR_REPOSITORY@$digest"
  fact image "$image"
}
