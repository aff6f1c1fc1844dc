# concertclean on a CPU:
#   docker build -t concertclean .
#   docker run --rm -v "$PWD:/recordings" concertclean denoise recording.m4a
FROM python:3.12-slim

COPY . /source
RUN pip install --no-cache-dir --constraint /source/constraints.txt /source && rm -r /source

# Results belong to whoever owns the folder: docker run --user "$(id -u):$(id -g)".
ENV HOME=/tmp
WORKDIR /recordings
ENTRYPOINT ["concertclean"]
CMD ["--help"]
