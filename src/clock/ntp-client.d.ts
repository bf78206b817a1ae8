/** The package has no types. */
declare module 'ntp-client' {
  const ntpClient: {
    /** A query fails after this many ms without an answer; read when it begins. */
    ntpReplyTimeout: number;
    /**
     * `date`: when the server sent its answer, in whole ms rounded down. A string as `error`: no answer came in time.
     */
    getNetworkTime(server: string, port: number, callback: (error: Error | string | null, date: Date) => void): void;
  };
  export default ntpClient;
}
