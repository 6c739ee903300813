FROM operator-demo/base:trixie
ARG GREETING
ARG FROM_OUTSIDE
ENV GREETING=$GREETING OUTSIDE=$FROM_OUTSIDE
COPY app/other.Dockerfile /copied
CMD ["sleep", "1000"]
