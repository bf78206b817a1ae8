# The program in a container, as the sources here have it.
#   docker build --tag pl-vnm .
#   docker run --rm --volume "$PWD:/data" pl-vnm validate two-node.yaml
# docs/getting-started.md says how it reaches nodes, and what a testbed in it needs.

FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# The published package, with the versions of package-lock.json.
RUN npm pack --silent \
  && mkdir /opt/pl-vnm \
  && tar --extract --gzip --file=pl-vnm-*.tgz --directory=/opt/pl-vnm --strip-components=1 \
  && cp package-lock.json /opt/pl-vnm/ \
  && cd /opt/pl-vnm \
  && npm ci --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
# What the program runs on the machine of the controller: ssh, and for local testbeds ip, nsenter, flock, ping and tcpdump.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends iproute2 iputils-ping openssh-client tcpdump util-linux \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/pl-vnm /opt/pl-vnm
RUN ln -s /opt/pl-vnm/src/cli/pl-vnm.mjs /usr/local/bin/pl-vnm \
  && install --directory --owner=node --group=node /data
# A testbed with the kernel data plane needs root: `docker run --user root --privileged`.
USER node
WORKDIR /data
ENV PL_VNM_DB=/data/pl-vnm.db
ENTRYPOINT ["pl-vnm"]
CMD ["--help"]
